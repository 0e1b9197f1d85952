"""Tools of the checkout that are neither tests nor shipped."""
