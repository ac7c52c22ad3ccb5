"""CPU time of importing CSV files, against pandas and between formats of timestamps."""
