"""The topic `uploads`: the ingress writes files to it in pieces, and the messenger reads them when it sends them."""
