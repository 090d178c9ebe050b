"""What Flower starts (server_app, client_app) and what a person starts (cli)."""
