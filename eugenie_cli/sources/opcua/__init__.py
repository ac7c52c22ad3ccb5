"""OPC UA: Historical Access (OPC 10000-11) as a source, and subscriptions as its live side."""
