"""Land, build, validate, publish: the commands around the dbt project."""
