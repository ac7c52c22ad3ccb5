"""Starting, supervising, stopping and checking what runs on this machine."""
