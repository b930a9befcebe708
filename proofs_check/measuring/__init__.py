"""What every term of a proof is on a concrete network: numbers and linear maps with their errors."""
