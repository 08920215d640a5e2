"""How a record travels: spool, couriers, retry, adoption of what killed processes left."""
