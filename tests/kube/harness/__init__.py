"""What the tests with real API servers share: the built servers, a PKI, processes and a client."""
