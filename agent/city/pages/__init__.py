"""How answers about a policy look: on a terminal, as JSON, as one offline page."""
