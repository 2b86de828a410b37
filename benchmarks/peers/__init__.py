"""The other servers: each the plainest program that its own documentation would write."""
