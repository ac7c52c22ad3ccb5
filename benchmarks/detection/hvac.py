"""HVAC: an air handling unit with days of faults. It learns from days without; a day that was learnt is not judged.

The unit's normal days are few, so each of the last `JUDGED_NORMAL` is judged by a model that learnt the days before...
"""
