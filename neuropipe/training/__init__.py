"""What every network shares: training on Lightning, exact resume, devices, safetensors weights."""
