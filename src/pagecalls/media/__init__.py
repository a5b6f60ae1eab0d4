"""The media port, the client of the real engine, and a fake one."""
