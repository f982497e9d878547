"""The kubelet's protocol for device plugins; the stubs come from `make protos`."""
