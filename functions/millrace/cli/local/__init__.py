"""Commands about files on this machine: convert them, explain them."""
