"""The live side of sources: their readings go to the site's topic as they happen, or to disk while Kafka is away."""
