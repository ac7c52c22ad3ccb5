"""What the sources of files share: finding files, recognizing imported ones, and opening them."""
