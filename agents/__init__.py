"""The stages, one file each, and the topology that chains them. Yours go here too."""
