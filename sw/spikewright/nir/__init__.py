"""Networks of other libraries, by files of the Neuromorphic Intermediate Representation (NIR)."""
