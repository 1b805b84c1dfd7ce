"""What the end-to-end tests share: namespaces, real servers, the balancer and the load."""
