"""What every process stands on: calls, errors, images, servers, telemetry."""
