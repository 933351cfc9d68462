"""From the build folder to gates of an ASIC: synthesis, area, timing, and energy by the toggles of simulations."""
