"""Requests that a program answers: one record and one server span each.

server ~~> request -> [web] -> the program's own application -> answer
"""
