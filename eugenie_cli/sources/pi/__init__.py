"""The source type `pi`: recorded values of a PI Data Archive, by the PI Web API."""
