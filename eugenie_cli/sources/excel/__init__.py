"""Workbooks: the rows of one sheet, with the types of their cells."""
