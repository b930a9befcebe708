"""False theorems, built by machine from true ones, and the judges that must reject them."""
