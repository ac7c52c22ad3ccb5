"""Sources of type `mqtt`: messages of a broker, plain or Sparkplug B, as they are published."""
