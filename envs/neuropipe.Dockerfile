# docker build -f envs/neuropipe.Dockerfile -t neuropipe .
# docker run --rm -v "$PWD/my-study:/study" neuropipe --directory /study --cores all
FROM python:3.12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/neuropipe
COPY . .
RUN python -m pip install --no-cache-dir --constraint envs/constraints.txt --editable .
ENTRYPOINT ["snakemake", "-s", "/opt/neuropipe/Snakefile"]
