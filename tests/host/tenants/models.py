from django_tenants.models import DomainMixin, TenantMixin


class Tenant(TenantMixin):
    """A customer with its own schema."""


class Domain(DomainMixin):
    """A host name of a tenant."""
