"""Adapters of the ports in `kuajie.workflows.ports`: models and snapshots on disk."""
