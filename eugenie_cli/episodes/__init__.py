"""From scored rows to anomalies: the on/off-delay machine and the records. Pure; ships into the job."""
