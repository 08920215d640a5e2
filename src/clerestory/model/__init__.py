"""What a thing is: severities, ids, errors. Standard library only, no I/O."""
