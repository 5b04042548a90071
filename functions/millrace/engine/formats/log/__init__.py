"""Logs of web servers, load balancers, networks and buckets, each read by its preset.

It imports what formats of lines share; no other format.
"""
