"""Staff sign-in by the company's identity provider, over OpenID Connect."""
