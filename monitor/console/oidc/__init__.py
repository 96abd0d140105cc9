"""Login by OpenID Connect. Only `provider` and `id_token` import the packages that it takes."""
