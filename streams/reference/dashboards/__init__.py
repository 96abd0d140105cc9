"""The Grafana dashboards, as code: `python -m streams.reference.dashboards FOLDER` writes them."""
