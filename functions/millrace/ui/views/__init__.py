"""The views: each reads what it shows, and renders one template."""
