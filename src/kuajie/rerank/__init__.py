"""What happens to a ranked list after it was scored."""
