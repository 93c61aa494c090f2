from django_tenants.models import DomainMixin, TenantMixin


class Tenant(TenantMixin):
    """A customer, with a schema of its own."""


class Domain(DomainMixin):
    """A host name that leads to a tenant."""
