# The whole workflow stands in workflow/; this file lets `snakemake --cores all` find it from the root.
include: "workflow/Snakefile"
