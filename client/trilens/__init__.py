"""The Trilens client; servers import only its generated `trilens.v1`."""
