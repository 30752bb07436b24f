"""What every other package stands on: paths, locks, records of runs, errors, clean-up, quoting of SQL."""
