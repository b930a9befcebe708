"""What every term of a proof is on a concrete network: numbers and maps, with their errors."""
