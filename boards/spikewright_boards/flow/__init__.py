"""From a build folder to a bitstream: `bitstream` goes all the way, by way of `top`, `yosys` and `nextpnr`."""
