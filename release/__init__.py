"""What a release consists of, made from a checkout; .github/workflows/release.yaml uploads it."""
