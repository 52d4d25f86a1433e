"""Who could receive what, and why not: answers with the lines that they rest on."""
