# The whole workflow stands in workflow/; this file lets `snakemake --cores all` find it from the root.
include: "workflow/Snakefile"


# An included file cannot set the default target.
rule default:
    default_target: True
    input:
        rules.all.input,
