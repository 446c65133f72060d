"""Closes the gaps between ministack and what the Terraform AWS provider reads back.

The package wraps handlers of the installed emulator in memory; its files stay
as they are. One module per AWS service, one wrapper per gap. Importing a
service module installs its wrappers.
"""
