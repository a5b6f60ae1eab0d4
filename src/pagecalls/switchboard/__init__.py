"""Joins the pure core with the ports: loads, applies, saves, acts. Faces ask here; nothing here knows a wire format."""
