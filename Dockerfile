# The operator and the certificate authorities it trusts, and nothing else. `make image` puts both into
# dist/image and builds this.
FROM scratch
COPY dist/image/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY dist/image/provider-secrets /provider-secrets
USER 65532:65532
ENTRYPOINT ["/provider-secrets"]
CMD ["run"]
