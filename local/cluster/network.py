"""Network: the addresses of a cluster, the same in each, for each has a network of its own."""

from typing import Final

# From the range for benchmarks of network devices: no real machine has these.
NODE: Final = "198.18.0.1"
NODE_PREFIX: Final = f"{NODE}/24"
PODS: Final = "198.19.0.0/16"
SERVICES: Final = "10.96.0.0/16"
API: Final = "10.96.0.1"
DNS: Final = "10.96.0.10"
API_PORT: Final = 6443
ETCD: Final = "http://127.0.0.1:2379"
DOMAIN: Final = "cluster.local"
