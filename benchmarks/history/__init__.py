"""Import and alignment of exports, against pandas."""
