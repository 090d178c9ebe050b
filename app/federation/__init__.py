"""What puts signfed on devices: certificates, keys, bundles, the roster, a preflight check."""
